#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace statehouse::bench {

/// The two statements of every system, on the table of migrations/context.
inline constexpr const char* read_sql = "SELECT context FROM context WHERE document_id = ? AND block_id = ?";
inline constexpr const char* write_sql =
    "INSERT INTO context (document_id, block_id, context) VALUES (?, ?, ?) "
    "ON CONFLICT (document_id, block_id) DO UPDATE SET context = excluded.context";

struct Key {
  std::string document;
  std::string block;
};

enum class workload {
  read,
  write,
  mixed,  ///< 90 % reads, 10 % writes.
  halves  ///< Every other worker only reads, those between only write.
};
const char* name_of(workload kind) noexcept;

/// 200 bytes of JSON.
std::string sample_value();

/// What one worker asks for next: a key, each with the same probability, and whether to write it. The same for the same
/// seed and worker. Cheap, so that the load generator stays small beside what it measures.
class Requests {
 public:
  Requests(const std::vector<Key>& keys, workload kind, std::uint64_t seed, std::size_t worker)
      : keys_(keys),
        kind_(kind != workload::halves ? kind
              : worker % 2 == 0        ? workload::read
                                       : workload::write),
        random_(static_cast<std::minstd_rand::result_type>((seed * 1000 + worker) * 2654435761U + 1)) {}

  const Key& key() { return keys_[random_() % keys_.size()]; }
  /// 200 bytes of JSON that no run has written before: SQLite leaves a page alone that would not change.
  const std::string& value();
  bool writes() { return kind_ == workload::write || (kind_ == workload::mixed && random_() % 10 == 0); }

 private:
  const std::vector<Key>& keys_;
  workload kind_;
  std::minstd_rand random_;
  std::string value_ = sample_value();
  std::uint64_t serial_ = std::uint64_t{std::random_device()()} << 32;
};

/// Where the keys of a database are for other programs: a file beside it.
std::filesystem::path keys_file(const std::filesystem::path& database);
void write_keys(const std::filesystem::path& file, const std::vector<Key>& keys);
/// Lines `document block`. Throws std::runtime_error that says what is wrong with the file.
std::vector<Key> read_keys(const std::filesystem::path& file);

}  // namespace statehouse::bench
