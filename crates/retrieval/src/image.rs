use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut};
use memmap2::Mmap;

/// A cache line, so that a block of them lies where vector loads and mapped files begin.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; 64]);

/// The bytes of an index file: mapped, or in memory. Both begin at a multiple of 64.
#[derive(Debug)]
pub(crate) enum Image {
    /// The file's pages come and go as they are read.
    Mapped(Mmap),
    Memory(MemoryImage),
}

/// Bytes in memory, in whole lines.
pub(crate) struct MemoryImage {
    lines: Vec<Line>,
    length: usize,
}

impl Image {
    /// Maps a file. It must not change while it is mapped: bundles and index folders are written once
    /// and replaced as a whole.
    pub(crate) fn map(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for a writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let file = File::open(path)?;
        // SAFETY: the file is never modified in place, see above. Were it truncated by a third party, a
        // read beyond its end would end the process; it could not read foreign memory.
        #[allow(unsafe_code, reason = "mapping has no safe form")]
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self::Mapped(map))
    }

    /// Copies bytes to an aligned place.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let mut image = MemoryImage::zeroed(bytes.len());
        image.bytes_mut().copy_from_slice(bytes);
        Self::Memory(image)
    }
}

impl MemoryImage {
    pub(crate) fn zeroed(length: usize) -> Self {
        Self { lines: vec![Line::zeroed(); length.div_ceil(size_of::<Line>())], length }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut cast_slice_mut(&mut self.lines)[..self.length]
    }
}

impl std::fmt::Debug for MemoryImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.length)
    }
}

impl Deref for Image {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Memory(image) => &cast_slice(&image.lines)[..image.length],
        }
    }
}
