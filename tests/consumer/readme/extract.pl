#!/usr/bin/env perl
# extract.pl README.md DIRECTORY: takes the C++ blocks out of README.md. An HTML comment before a block says what it is:
#   <!-- snippet: program -->       a whole program: becomes DIRECTORY/program_<line>.cpp
#   <!-- snippet: declarations -->  at namespace scope, seen by what follows: goes into DIRECTORY/bodies.cpp
#   <!-- snippet: body -->          and every other block: statements of a coroutine that has `io`, `state`, `pool` and
#                                   the strings `document`, `block` and `json`: goes there too, a function each
# Prints the names of the programs as a CMake list. The compiler reports errors at README.md's own lines.
use strict;
use warnings;

my ($readme, $directory) = @ARGV;
open(my $in, '<', $readme) or die "$readme: $!\n";

my ($kind, $block, $first, @programs) = ('body', undef, 0);
my $bodies = <<'HEADER';
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

namespace {
HEADER

sub finish {
  my $text = "#line $first \"$readme\"\n$block";
  if ($kind eq 'program') {
    push @programs, "program_$first";
    write_file("$directory/program_$first.cpp", $text);
  } elsif ($kind eq 'declarations') {
    $bodies .= "$text\n";
  } elsif ($kind eq 'body') {
    $bodies .= "asio::awaitable<void> body_$first(asio::io_context& io, statehouse::AppState& state,\n"
             . "    statehouse::Pool pool, std::string document, std::string block, std::string json) {\n"
             . "$text\n  co_return;\n}\n\n";
  } else {
    die "$readme:$first: unknown kind of snippet: $kind\n";
  }
}

sub write_file {
  my ($path, $text) = @_;
  open(my $out, '>', $path) or die "$path: $!\n";
  print $out $text;
  close($out) or die "$path: $!\n";
}

while (my $line = <$in>) {
  if (defined $block) {
    if ($line =~ /^```\s*$/) { finish(); $block = undef; $kind = 'body'; }
    else { $block .= $line; }
  } elsif ($line =~ /^```cpp\s*$/) { $block = ''; $first = $. + 1; }
  elsif ($line =~ /^<!--\s*snippet:\s*(\w+)\s*-->\s*$/) { $kind = $1; }
}
die "$readme: a block is not closed\n" if defined $block;
write_file("$directory/bodies.cpp", "$bodies}  // namespace\n");
print join(';', @programs);
