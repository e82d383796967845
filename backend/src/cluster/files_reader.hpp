#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace statehouse::detail::wire {

/// Reads the body of an answer with the files of a database while it comes, so that nobody needs room for all of it:
/// how many there are, and of each its name, its size, and that many bytes.
///
/// Throws Error with SQLITE_PROTOCOL for whatever is something else, and what `take` throws.
class FilesReader {
 public:
  /// Has the next bytes of `file`, for the time of the call. A file that is empty has one empty piece.
  using Take = std::function<void(std::string_view file, std::string_view bytes)>;

  FilesReader(std::uint64_t body_bytes, Take take);

  /// The next piece of the body, of any size that is left.
  void feed(std::string_view bytes);
  /// Of the body, and still to come.
  std::uint64_t left() const noexcept { return left_; }

 private:
  enum class field : unsigned char { count, name, size, content, nothing };

  void take_word();
  void take_name();
  void take_content(std::string_view& bytes);
  void begin_content(std::uint64_t size);
  void end_file();

  const Take take_;
  std::uint64_t left_;
  field next_ = field::count;
  std::string word_;  // as much of one as has come; names come in words, too
  std::uint64_t files_left_ = 0;
  std::string name_;
  std::uint64_t content_left_ = 0;
};

}  // namespace statehouse::detail::wire
