// Lets Verilator's FST writer throw where a file cannot be written; on its own it goes on in silence,
// or aborts. Included ahead of its source, whose file is a std::ofstream.
#pragma once

#include <fstream>

namespace std {

struct throwing_ofstream : ofstream {
    throwing_ofstream() { exceptions(badbit | failbit); }
};

}  // namespace std

#define ofstream throwing_ofstream
