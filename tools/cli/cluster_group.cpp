#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "command_groups.hpp"
#include "commands.hpp"
#include "definition.hpp"

namespace statehouse::cli {
namespace {

void define_membership(Definition define, Arguments& arguments) {
  const char* const nodes = "--cluster 10.0.0.1:9001,10.0.0.2:9001";
  define
      .command("status", "Asks every node: who belongs to the cluster, who leads, who does not answer", cluster_status,
               {std::string("status ") + nodes})
      .cluster();
  auto& add =
      define
          .command("add", "Makes a node that runs a member, or gives a member another role; --join does it by itself",
                   cluster_add,
                   {"add --cluster 10.0.0.1:9001 4 10.0.0.4:9001",
                    "add --cluster 10.0.0.1:9001 4 10.0.0.4:9001 --role spare"})
          .cluster()
          .node()
          .app();
  add.add_option("ADDRESS", arguments.node_address, "HOST:PORT it listens on, as the others reach it")->required();
  add.add_option("--role", arguments.node_role,
                 "What it does: voter; standby, has the data and no vote; spare, has neither")
      ->check(CLI::IsMember({"voter", "standby", "spare"}))
      ->capture_default_str();
  define
      .command("remove", "Takes a node out of the cluster; stop it before, or it joins again when it is restarted",
               cluster_remove, {"remove --cluster 10.0.0.1:9001,10.0.0.2:9001 3"})
      .cluster()
      .node()
      .yes();
  define
      .command("transfer", "Has this node lead, before the one that leads is stopped for long", cluster_transfer,
               {std::string("transfer ") + nodes + " 2"})
      .cluster()
      .node();
}

}  // namespace

void define_cluster(CLI::App& parent, Arguments& arguments) {
  CLI::App& app = group(parent, "cluster", "Looks after the nodes of a cluster, and copies databases out of it");
  Definition define(app, arguments);
  define_membership(define, arguments);
  define
      .command("dump", "Copies a database of the cluster, also while others write to it, into a file with mode 0600",
               cluster_dump, {"dump --cluster 10.0.0.1:9001 --name context --to context.db"})
      .clustered_database()
      .copy_to_file();
  define
      .command("import", "Copies a database file into a database of the cluster that has no tables yet, and compares",
               cluster_import, {"import --cluster 10.0.0.1:9001 --name context context.db"})
      .clustered_database()
      .app()
      .add_option("FILE", arguments.source_file, "The database; nobody may write to it meanwhile")
      ->required()
      ->type_name("FILE");
}

}  // namespace statehouse::cli
