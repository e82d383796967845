#include <sys/stat.h>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

// A data directory that others may write: they could replace or remove a database there.

TEST_CASE("init: a data directory that others may write is warned of, once, and works") {
  for (const auto& [mode, warned] : {std::pair<mode_t, bool>{0700, false},
                                     {0755, false},
                                     {0750, false},
                                     {0770, true},
                                     {0777, true},
                                     {01777, true},
                                     {0702, true}}) {
    CAPTURE(mode);
    SteppedApp app;
    REQUIRE(::chmod(app.dir.path().c_str(), mode) == 0);
    app.run(app.state->init());
    app.run(app.state->init());
    CHECK(app.log.count("others may write there", spdlog::level::warn) == (warned ? 1U : 0U));
    if (warned) CHECK(app.log.count(app.dir.path().string(), spdlog::level::warn) == 1);
    CHECK(app.run(app.state->db_instances.get_pool("x")).name() == "x");
    REQUIRE(::chmod(app.dir.path().c_str(), 0700) == 0);
  }
}

}  // namespace
}  // namespace statehouse::test
