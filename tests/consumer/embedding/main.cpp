// Compares what is embedded with the directory it came from.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <statehouse/migrations/_2nd.hpp>
#include <statehouse/migrations/default_.hpp>
#include <statehouse/migrations/user_data_v2.hpp>
#include <string>

int main(int, char** argv) {
  const std::filesystem::path directory(argv[1]);
  std::size_t on_disk = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) on_disk += entry.is_regular_file();

  const auto embedded = statehouse::migrations::user_data_v2().files;
  for (const auto& [name, content] : embedded) {
    std::ifstream in(directory / name, std::ios::binary);
    if (!in || std::string(std::istreambuf_iterator<char>(in), {}) != content) {
      std::cerr << name << " differs\n";
      return 1;
    }
  }
  if (embedded.size() != on_disk) {
    std::cerr << embedded.size() << " files embedded, " << on_disk << " in " << directory << '\n';
    return 1;
  }
  const bool others_there =
      statehouse::migrations::default_().files.size() == 1 && statehouse::migrations::_2nd().files.size() == 1;
  return others_there ? 0 : 1;
}
