//! Generates the wire format from `proto/` with a compiler in Rust: no `protoc` on the machine.

use std::path::{Path, PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    // Cargo reads this line.
    #[allow(clippy::print_stdout)]
    {
        println!("cargo:rerun-if-changed={}", root.display());
    }
    let descriptors = protox::compile(["shortlist/v1/service.proto"], [&root])?;
    let descriptor_file = PathBuf::from(std::env::var("OUT_DIR")?).join("shortlist.v1.bin");
    std::fs::write(descriptor_file, descriptors.encode_to_vec())?;
    // Maps in order of key: the same answer gives the same bytes.
    tonic_prost_build::configure().btree_map(".shortlist").compile_fds(descriptors)?;
    Ok(())
}
