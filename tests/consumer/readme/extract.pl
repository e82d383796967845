#!/usr/bin/env perl
# extract.pl DIRECTORY PAGE...: takes the C++ blocks out of README.md and its like. An HTML comment before a block says
# what it is:
#   <!-- snippet: program -->       a whole program: becomes DIRECTORY/program_<page>_<line>.cpp
#   <!-- snippet: global -->        outside of any namespace, before all of those: goes into DIRECTORY/bodies.cpp
#   <!-- snippet: declarations -->  at namespace scope, seen by what follows: goes there, too
#   <!-- snippet: body -->          and every other block: statements of a coroutine that has `io`, `state`, `pool` and
#                                   the strings `document`, `block` and `json`: goes there too, a function each
# A block of SQL behind <!-- queries --> becomes a part of DIRECTORY/queries.sql, with which all of these are built.
# An #include of the latter three goes to the top of bodies.cpp. Prints the names of the programs as a CMake list. The
# compiler reports errors at the pages' own lines.
use strict;
use warnings;
use File::Basename qw(basename);

my ($directory, @pages) = @ARGV;
my ($includes, $globals, $bodies, $queries, @programs) = ('', '', '', '');

sub write_file {
  my ($path, $text) = @_;
  open(my $out, '>', $path) or die "$path: $!\n";
  print $out $text;
  close($out) or die "$path: $!\n";
}

sub finish {
  my ($page, $kind, $first, $block) = @_;
  if ($kind eq 'queries') { $queries .= "$block\n"; return; }
  my $name = basename($page, '.md') =~ s/\W/_/gr . "_$first";
  my $line = "#line $first \"$page\"\n";
  if ($kind eq 'program') {
    push @programs, "program_$name";
    write_file("$directory/program_$name.cpp", "$line$block");
    return;
  }
  $includes .= $1 while $block =~ s/^(#include [^\n]*\n)/\n/m;
  if ($kind eq 'global') {
    $globals .= "$line$block\n";
  } elsif ($kind eq 'declarations') {
    $bodies .= "$line$block\n";
  } elsif ($kind eq 'body') {
    $bodies .= "asio::awaitable<void> body_$name(asio::io_context& io, statehouse::AppState& state,\n"
             . "    statehouse::Pool pool, std::string document, std::string block, std::string json) {\n"
             . "$line$block\n  co_return;\n}\n\n";
  } else {
    die "$page:$first: unknown kind of snippet: $kind\n";
  }
}

for my $page (@pages) {
  open(my $in, '<', $page) or die "$page: $!\n";
  my ($kind, $block, $first) = ('body', undef, 0);
  while (my $line = <$in>) {
    if (defined $block) {
      if ($line !~ /^```\s*$/) { $block .= $line; next; }
      finish($page, $kind, $first, $block);
      ($kind, $block) = ('body', undef);
    } elsif ($line =~ /^```cpp\s*$/ || ($line =~ /^```sql\s*$/ && $kind eq 'queries')) { $block = ''; $first = $. + 1; }
    elsif ($line =~ /^<!--\s*queries\s*-->\s*$/) { $kind = 'queries'; }
    elsif ($line =~ /^<!--\s*snippet:\s*(\w+)\s*-->\s*$/) { $kind = $1; }
  }
  die "$page: a block is not closed\n" if defined $block;
}

my $headers = <<'HEADERS';
#include <boost/asio.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <statehouse/migrations/context.hpp>
#include <statehouse/statehouse.hpp>
#include <string>
#include <tuple>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
HEADERS

write_file("$directory/queries.sql", $queries);
write_file("$directory/bodies.cpp", "$includes$headers$globals\nnamespace {\n\n$bodies}  // namespace\n");
print join(';', @programs);
