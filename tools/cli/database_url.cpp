#include "database_url.hpp"

#include <cctype>

#include "output.hpp"

namespace statehouse::cli {
namespace {

constexpr std::string_view url_advice =
    "give a file as DATABASE_URL=sqlite:data/app.db, in STATEHOUSE_DATABASE where DATABASE_URL is another program's, "
    "or "
    "as --database FILE";

[[noreturn]] void refuse(const std::string& what) {
  throw UsageError(what + ": " + std::string(url_advice));
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// A '%' that no two digits follow stands for itself.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

void take_parameter(std::string_view parameter, DatabaseUrl& url) {
  if (parameter == "mode=rw") {
    url.must_exist = true;
  } else if (parameter == "mode=ro" || parameter == "mode=memory") {
    refuse("'" + std::string(parameter) + "' is for a database that is only looked at or not on disk, and this tool " +
           "opens files, to write where the command writes");
  } else if (!parameter.empty() && parameter != "mode=rwc" && parameter != "cache=private" &&
             parameter != "cache=shared") {  // which concern connections within one program
    refuse("'" + std::string(parameter.substr(0, parameter.find('='))) +
           "' is no parameter that is kept here, as mode=rwc and mode=rw are");
  }
}

}  // namespace

std::string_view scheme_of(std::string_view url) {
  std::size_t length = 0;
  while (length < url.size() && (std::isalnum(static_cast<unsigned char>(url[length])) != 0 || url[length] == '+' ||
                                 url[length] == '-' || url[length] == '.'))
    ++length;
  return length < url.size() && url[length] == ':' ? url.substr(0, length) : std::string_view();
}

DatabaseUrl parse_database_url(std::string_view text) {
  const std::string_view scheme = scheme_of(text);
  if (scheme == "file") refuse("'file:' is of Prisma and of SQLite itself, and counts from another directory");
  if (scheme.empty()) refuse("it has no scheme 'sqlite:'");
  if (scheme != "sqlite") refuse("'" + std::string(scheme) + ":' is no file of SQLite");
  text.remove_prefix(text.starts_with("sqlite://") ? 9 : 7);
  const auto question = text.find('?');
  DatabaseUrl url{percent_decoded(text.substr(0, question))};
  std::string_view parameters = question == std::string_view::npos ? std::string_view() : text.substr(question + 1);
  while (!parameters.empty()) {
    const auto end = parameters.find('&');
    take_parameter(parameters.substr(0, end), url);
    parameters = end == std::string_view::npos ? std::string_view() : parameters.substr(end + 1);
  }
  if (url.file == ":memory:") refuse("a database in memory is gone with this program");
  if (url.file.empty() || url.file.find('\0') != std::string::npos) refuse("it names no file");
  return url;
}

}  // namespace statehouse::cli
