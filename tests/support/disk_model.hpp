#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "disk_recorder.hpp"
#include "files.hpp"

namespace statehouse::test {

/// What a disk holds while recorded calls are made on it, and what of it may be left when the power is cut: all that
/// was synced, and of the rest nothing, all, a beginning, or any part of it, writes torn apart. A name lasts only when
/// its directory was synced. A byte that was not written is never changed.
class DiskModel {
 public:
  DiskModel() { inodes_[DiskRecorder::root_inode].directory = true; }

  /// From now on syncs do nothing.
  void forget_syncs() noexcept { forgets_ = true; }
  /// Nor do those of the files of that name, ever.
  void forget_syncs_of(std::string name) { forgotten_ = std::move(name); }

  /// Keeps a reference to the event.
  void apply(const DiskEvent& event) {
    if (event.what == DiskEvent::kind::mark) return;
    Inode& inode = inodes_[event.inode];
    if (event.what == DiskEvent::kind::link) {
      inodes_[event.target].directory = event.directory;
      inodes_[event.target].forgets = !forgotten_.empty() && event.name == forgotten_;
    }
    if (event.what != DiskEvent::kind::sync) return inode.unsynced.push_back(&event);
    if (forgets_ || inode.forgets) return;
    for (const DiskEvent* const made : inode.unsynced) settle(inode, *made);
    inode.unsynced.clear();
  }

  /// What could be left now, in the empty directory `into`.
  void cut(std::mt19937& random, const std::filesystem::path& into) const {
    lay_out(DiskRecorder::root_inode, into,
            [&](const Inode& inode) { return inode.directory ? survivors(inode, random) : torn(inode, random); });
  }
  /// All, as if everything had been synced.
  void copy(const std::filesystem::path& into) const {
    lay_out(DiskRecorder::root_inode, into, [](const Inode& inode) { return whole(inode); });
  }

 private:
  struct Inode {
    bool directory = false;
    bool forgets = false;
    std::string bytes;                       // of a file
    std::map<std::string, int> names;        // of a directory
    std::vector<const DiskEvent*> unsynced;  // what has been done to it since
  };

  static void settle(Inode& inode, const DiskEvent& event) {
    switch (event.what) {
      case DiskEvent::kind::link: inode.names[event.name] = event.target; break;
      case DiskEvent::kind::unlink: inode.names.erase(event.name); break;
      case DiskEvent::kind::rename:
        if (const auto found = inode.names.find(event.name); found != inode.names.end()) {
          inode.names[event.data] = found->second;
          inode.names.erase(event.name);
        }
        break;
      case DiskEvent::kind::write: write(inode.bytes, event, 0, event.data.size()); break;
      case DiskEvent::kind::truncate: inode.bytes.resize(static_cast<std::size_t>(event.offset)); break;
      default: break;
    }
  }
  /// A part of a write.
  static void write(std::string& bytes, const DiskEvent& event, std::size_t from, std::size_t size) {
    const std::size_t at = static_cast<std::size_t>(event.offset) + from;
    bytes.resize(std::max(bytes.size(), at + size));
    bytes.replace(at, size, event.data, from, size);
  }

  static Inode whole(const Inode& inode) {
    Inode left = inode;
    for (const DiskEvent* const event : inode.unsynced) settle(left, *event);
    return left;
  }

  static bool with(double probability, std::mt19937& random) {
    return std::bernoulli_distribution(probability)(random);
  }
  /// Nothing, half, nearly all, or all is to be left.
  static double share(std::mt19937& random) {
    constexpr double shares[] = {0, 0.5, 0.9, 0.99, 1};
    return shares[random() % std::size(shares)];
  }
  /// Some of what was done, or the beginning of it.
  static Inode survivors(const Inode& inode, std::mt19937& random) {
    Inode left = inode;
    const double probability = share(random);
    const std::size_t end = random() % 2 == 0 ? inode.unsynced.size() : random() % (inode.unsynced.size() + 1);
    for (std::size_t i = 0; i < end; ++i)
      if (with(probability, random)) settle(left, *inode.unsynced[i]);
    return left;
  }
  /// The same, or the pieces of all writes each for itself.
  static Inode torn(const Inode& inode, std::mt19937& random) {
    if (random() % 2 == 0) return survivors(inode, random);
    Inode left = inode;
    const double probability = share(random);
    const std::size_t unit = random() % 2 == 0 ? 512 : 4096;
    for (const DiskEvent* const event : inode.unsynced) {
      if (event->what != DiskEvent::kind::write) {
        if (with(probability, random)) settle(left, *event);
        continue;
      }
      for (std::size_t from = 0; from < event->data.size();) {
        const std::size_t to_boundary = unit - (static_cast<std::size_t>(event->offset) + from) % unit;
        const std::size_t size = std::min(to_boundary, event->data.size() - from);
        if (with(probability, random)) write(left.bytes, *event, from, size);
        from += size;
      }
    }
    return left;
  }

  template <class Choose>
  void lay_out(int number, const std::filesystem::path& into, Choose&& choose) const {
    const Inode left = choose(inodes_.at(number));
    if (!left.directory) return write_file(into, left.bytes);
    std::filesystem::create_directories(into);
    for (const auto& [name, inode] : left.names) lay_out(inode, into / name, choose);
  }

  bool forgets_ = false;
  std::string forgotten_;
  std::map<int, Inode> inodes_;
};

}  // namespace statehouse::test
