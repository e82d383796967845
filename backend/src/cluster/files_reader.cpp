#include "cluster/files_reader.hpp"

#include <algorithm>
#include <utility>

#include "cluster/decoder.hpp"

namespace statehouse::detail::wire {
namespace {

/// A node's own limit is a little more than 500.
constexpr std::size_t longest_name = 1024;

}  // namespace

FilesReader::FilesReader(std::uint64_t body_bytes, Take take) : take_(std::move(take)), left_(body_bytes) {
  if (left_ == 0) fail("files without their number");
}

void FilesReader::feed(std::string_view bytes) {
  if (bytes.size() > left_) fail("more than its header says");
  while (!bytes.empty()) {
    if (next_ == field::content) {
      take_content(bytes);
      continue;
    }
    const std::string_view part = bytes.substr(0, word - word_.size());
    word_ += part;
    bytes.remove_prefix(part.size());
    left_ -= part.size();
    if (word_.size() == word) take_word();
  }
  if (left_ == 0 && next_ != field::nothing) fail("files end too early");
}

void FilesReader::take_word() {
  switch (next_) {
    case field::count:
      files_left_ = Decoder(word_).uint64();
      next_ = files_left_ > 0 ? field::name : field::nothing;
      break;
    case field::name: take_name(); break;
    case field::size: begin_content(Decoder(word_).uint64()); break;
    default: fail("there is more after the last file");
  }
  word_.clear();
}

void FilesReader::take_name() {
  const auto end = word_.find('\0');
  name_ += word_.substr(0, end);
  if (name_.size() > longest_name) fail("a file with a name that does not end");
  if (end != std::string::npos) next_ = field::size;
}

void FilesReader::begin_content(std::uint64_t size) {
  // Pages and frames are, and what is not would leave open where the next file begins.
  if (size % word != 0) fail("a file that is not whole words");
  if (size > left_) fail("a file is longer than the message");
  content_left_ = size;
  next_ = field::content;
  if (size > 0) return;
  take_(name_, {});
  end_file();
}

void FilesReader::take_content(std::string_view& bytes) {
  const std::string_view part =
      bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(content_left_, bytes.size())));
  take_(name_, part);
  bytes.remove_prefix(part.size());
  left_ -= part.size();
  content_left_ -= part.size();
  if (content_left_ == 0) end_file();
}

void FilesReader::end_file() {
  name_.clear();
  next_ = --files_left_ > 0 ? field::name : field::nothing;
}

}  // namespace statehouse::detail::wire
