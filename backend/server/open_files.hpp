#pragma once

namespace statehouse::server {

/// Raises this process's limit of open files to the highest that it may set itself, and logs what it is then. A
/// database that is awake has 2 to 11 of them, each connection of a client one; the usual limit of 1024 is for programs
/// that call select(2), which this one does not. Before there is a second thread.
void raise_limit_of_open_files();

}  // namespace statehouse::server
