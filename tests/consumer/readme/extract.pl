#!/usr/bin/env perl
# extract.pl README.md DIRECTORY: takes the C++ blocks out of README.md. An HTML comment on the line before says what a block is:
#   <!-- snippet: program -->  a whole program: becomes DIRECTORY/program_<line>.cpp
#   <!-- snippet: body -->     the default: statements of a coroutine that has `io`, `state` and `pool`; these all go into
#                              DIRECTORY/bodies.cpp, a function each
#   <!-- snippet: declarations -->  namespace scope: goes there too, is seen by the blocks after it
# Prints the names of the programs as a CMake list. Compilers report errors at README.md's own lines.
use strict;
use warnings;

my ($readme, $directory) = @ARGV;
open(my $in, '<', $readme) or die "$readme: $!\n";

my ($kind, $block, $first, @programs) = ('body', undef, 0);
my $bodies = <<'HEADER';
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

HEADER

sub finish {
  my $text = "#line $first \"$readme\"\n$block";
  if ($kind eq 'program') {
    push @programs, "program_$first";
    write_file("$directory/program_$first.cpp", $text);
  } elsif ($kind eq 'declarations') {
    $bodies .= "$text\n";
  } elsif ($kind eq 'body') {
    $bodies .= "asio::awaitable<void> body_$first(asio::io_context& io, statehouse::AppState& state, statehouse::Pool pool) {\n"
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
write_file("$directory/bodies.cpp", $bodies);
print join(';', @programs);
