#include <dlfcn.h>

#include <iostream>

// A program that knows nothing of statehouse and opens a plugin that has it inside.
int main() {
  void* plugin = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
  const auto use = plugin == nullptr ? nullptr : reinterpret_cast<int (*)()>(dlsym(plugin, "use_statehouse"));
  if (use == nullptr) {
    std::cerr << dlerror() << '\n';
    return 1;
  }
  return use();
}
