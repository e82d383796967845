"""The library of the checkout that this lies in: conan create tools/packaging/conan"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class StatehouseConan(ConanFile):
    name = "statehouse"
    description = "Asynchronous service state for Boost.Asio servers, on SQLite"
    license = "BSL-1.0"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False]}
    default_options = {"shared": False}

    @property
    def _checkout(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._checkout, "backend", "include", "statehouse", "version.hpp"))
        self.version = re.search('define STATEHOUSE_VERSION "(.*)"', header).group(1)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "backend/*", "migrations/*", "tools/*"):
            copy(self, pattern, src=self._checkout, dst=self.export_sources_folder)

    def requirements(self):
        for library in ("boost/[>=1.83]", "sqlite3/[>=3.40]", "sqlitecpp/[>=3.2]", "spdlog/[>=1.10]"):
            self.requires(library, transitive_headers=True, transitive_libs=True)
        self.requires("re2/[>=20220601]")
        self.requires("openssl/[>=3]")

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("BENCH", "SERVER", "TESTS", "TOOLS"):
            toolchain.variables[f"STATEHOUSE_BUILD_{part}"] = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.libs = ["statehouse"]
        # The package of its own, which has statehouse_embed_migrations.
        self.cpp_info.builddirs = ["lib/cmake/statehouse"]
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.set_property("pkg_config_name", "statehouse")
