#pragma once

namespace CLI {
class App;
}

namespace statehouse::cli {

struct Arguments;

// What each group of commands takes, and calls when it is chosen. `arguments` must outlive `app`.
void define_migrate(CLI::App& app, Arguments& arguments);
void define_db(CLI::App& app, Arguments& arguments);
void define_cluster(CLI::App& app, Arguments& arguments);
void define_queries(CLI::App& app, Arguments& arguments);

}  // namespace statehouse::cli
