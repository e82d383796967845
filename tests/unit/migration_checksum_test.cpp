#include "migrate/source/checksum.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

using namespace statehouse;
using detail::checksum_of;
using detail::explain_difference;

namespace {
constexpr std::string_view mark = "\xEF\xBB\xBF";

std::string explained(std::string_view applied, std::string_view now) {
  return explain_difference(now, checksum_of(applied));
}
}  // namespace

TEST_CASE("checksums: SHA-384 of the raw bytes, byte order mark and line ends included") {
  CHECK(to_hex(checksum_of("")) ==
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b");
  CHECK(to_hex(checksum_of("abc")) ==
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
  CHECK(checksum_of("SELECT 1;\n") != checksum_of("SELECT 1;\r\n"));
  CHECK(checksum_of("SELECT 1;") != checksum_of(std::string(mark) + "SELECT 1;"));
}

TEST_CASE("checksums: a difference only in line ends, byte order mark or trailing blanks is named") {
  const std::string lf = "CREATE TABLE a(\n  x\n);\n";
  const std::string crlf = "CREATE TABLE a(\r\n  x\r\n);\r\n";
  CHECK(explained(lf, crlf) == "line ends (it had LF)");
  CHECK(explained(crlf, lf) == "line ends (it had CRLF)");
  CHECK(explained(lf, "CREATE TABLE a(\r\n  x\n);\n") == "line ends (it had LF)");
  CHECK(explained(lf, std::string(mark) + lf) == "a byte order mark (it had none)");
  CHECK(explained(std::string(mark) + lf, lf) == "a byte order mark (it had one)");
  CHECK(explained(lf, std::string(mark) + crlf) == "a byte order mark (it had none) and line ends (it had LF)");

  constexpr auto blanks = "blanks at line ends or at the end of the file";
  CHECK(explained("SELECT 1;", "SELECT 1;\n") == blanks);
  CHECK(explained("SELECT 1;\n", "SELECT 1;") == blanks);
  CHECK(explained("SELECT 1;\n\n", "SELECT 1;") == blanks);
  CHECK(explained("SELECT 1;\n", "SELECT 1;  \n\n\n") == blanks);
  CHECK(explained(lf, "CREATE TABLE a(  \n  x\t\n);\n") == blanks);
  CHECK(explained(crlf, "CREATE TABLE a(  \r\n  x\r\n);") == blanks);
  CHECK(explained("a\nb", "a\r\nb\r\n") == "line ends (it had LF) and " + std::string(blanks));
}

TEST_CASE("checksums: a real change is not explained away") {
  CHECK(explained("SELECT 1;\n", "SELECT 2;\n").empty());
  CHECK(explained("SELECT 1;\n", "SELECT  1;\n").empty());
  CHECK(explained("SELECT 1;\n", "-- x\nSELECT 1;\n").empty());
  CHECK(explained("SELECT 1;\n", "").empty());
  CHECK(explained("x", "").empty());
}
