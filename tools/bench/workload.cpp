#include "workload.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace statehouse::bench {

const char* name_of(workload kind) noexcept {
  switch (kind) {
    case workload::read: return "read";
    case workload::write: return "write";
    case workload::mixed: return "mixed";
    case workload::halves: return "halves";
  }
  return "";
}

std::string sample_value() {
  return R"({"cwd":")" + std::string(190, 'z') + R"("})";
}

const std::string& Requests::value() {
  constexpr std::size_t at = 8;  // within the quotes
  std::uint64_t number = ++serial_;
  for (std::size_t i = 0; i < 2 * sizeof number; ++i, number /= 16)
    value_[at + i] = static_cast<char>('a' + number % 16);
  return value_;
}

std::filesystem::path keys_file(const std::filesystem::path& database) {
  return database.string() + ".keys";
}

void write_keys(const std::filesystem::path& file, const std::vector<Key>& keys) {
  std::ofstream out(file);
  for (const Key& key : keys) out << key.document << ' ' << key.block << '\n';
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

std::vector<Key> read_keys(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read the keys in " + file.string());
  std::vector<Key> keys;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::istringstream words(line);
    Key key;
    std::string more;
    if (!(words >> key.document)) continue;  // an empty line
    if (!(words >> key.block) || words >> more)
      throw std::runtime_error(file.string() + ":" + std::to_string(number) + ": expected 'document block'");
    keys.push_back(std::move(key));
  }
  if (keys.empty()) throw std::runtime_error(file.string() + " has no keys: one line 'document block' for each");
  return keys;
}

}  // namespace statehouse::bench
