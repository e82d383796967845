#pragma once

#include <filesystem>
#include <string>

#include "membership.hpp"

namespace statehouse::node {

/// Sees that the data in `directory` is that of `self`: what a node has voted for and acknowledged is in there, and the
/// cluster counts on it under that id and address, for ever.
///
/// Whose it is stands in a file of its own in there, written before there is data, and for data that is older than this
/// rule. The directory must be locked. Gives what is wrong and what to do; empty where nothing is. Throws
/// std::system_error when the file cannot be read or written.
std::string claim(const std::filesystem::path& directory, const Self& self);

}  // namespace statehouse::node
