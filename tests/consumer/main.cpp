extern "C" int use_statehouse();

int main() { return use_statehouse(); }
