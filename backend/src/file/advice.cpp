#include "file/advice.hpp"

#include <cerrno>

namespace statehouse::detail {

const char* advice(int error) noexcept {
  switch (error) {
    case EACCES:
    case EPERM: return "the process may not write there: check owner and mode of the directory and those above it";
    case EROFS: return "the file system is read-only: choose another data directory or mount it writable";
    case EEXIST:
    case ENOTDIR: return "a part of the path is a file, not a directory";
    case EISDIR: return "there is a directory of that name";
    case ENAMETOOLONG: return "the path is too long for the file system";
    case ENOENT: return "a directory on the path does not exist: create it first";
    case ELOOP: return "symbolic links go in circles, or the file is one";
    case ENOSPC: return "the file system is full: free space there";
    case EDQUOT: return "the quota on this file system is used up: free space or raise it";
    case EFBIG: return "the file would be larger than allowed: raise the limit (ulimit -f)";
    case EMFILE: return "too many open files: raise the limit of this process (ulimit -n)";
    case ENFILE: return "too many open files in the whole system: raise fs.file-max";
    case EIO: return "the disk fails or is gone: see the kernel's log, and check the database afterwards";
    default: return "see the system error";
  }
}

}  // namespace statehouse::detail
