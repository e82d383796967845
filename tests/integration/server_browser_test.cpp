#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <string>

#include "browser.hpp"
#include "eventually.hpp"
#include "raw_http.hpp"
#include "server_process.hpp"
#include "statehouse/testing/temp_dir.hpp"

// A document in a real browser, live.

namespace {

namespace fs = std::filesystem;
using namespace statehouse::test;
using statehouse::testing::TempDir;

/// It shows the blocks of the document d, and stores what it shows as the block page of the document shown.
fs::path make_page(const fs::path& directory, unsigned short port) {
  fs::path page = directory / "page.html";
  std::ofstream(page) << R"(<!DOCTYPE html><p id="shown"></p><script>
const server = "http://127.0.0.1:)"
                      << port << R"(";
const shown = document.getElementById("shown");
new EventSource(server + "/documents/d/events").onmessage = event => {
  shown.textContent = JSON.parse(event.data).blocks.map(each => each.block + " is " + each.context).join(", ");
  fetch(server + "/documents/shown/blocks/page", {method: "PUT", body: JSON.stringify(shown.innerText)});
};
</script>)";
  return page;
}

TEST_CASE("browser: a page shows a document, and each change of it as it comes") {
  if (Browser::program().empty()) {
    WARN("NOT TESTED with a real browser: there is no chromium, which tools/setup --ci installs");
    SKIP("no chromium");
  }
  const TempDir dir;
  std::string said;
  if (!Browser::works(dir / "trial", said)) {
    WARN("NOT TESTED with a real browser: chromium does not run here: " << said);
    SKIP("chromium does not run here");
  }
  const ServerProcess server({"--data-dir", (dir / "data").string()});
  const auto put = [&](const std::string& context) {
    CHECK(RawHttp(server.port()).request("PUT", "/documents/d/blocks/a", context).status < 300);
  };
  const auto shows = [&](const std::string& text) {
    return eventually(
        [&] { return RawHttp(server.port()).request("GET", "/documents/shown/blocks/page").body == '"' + text + '"'; });
  };
  put("1");
  const Browser browser(dir / "profile", make_page(dir.path(), server.port()));
  CHECK(shows("a is 1"));
  put("2");
  CHECK(shows("a is 2"));
  CHECK(RawHttp(server.port()).request("DELETE", "/documents/d").status == 200);
  CHECK(shows(""));
}

}  // namespace
