# What `-> stream` stands for: the compiler looks this struct up by file and id.

@0x86c366a91393f3f8;

struct StreamResult @0x995f9a3377c0b16e {
}
