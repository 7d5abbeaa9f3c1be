/// The buffers of an encoding, kept by the caller from one item to the next so that an embedding
/// allocates nothing but its answer.
///
/// **Cost**: a few KiB once used, at most about 100 KiB for attributes that fill every limit.
#[derive(Debug, Clone, Default)]
pub struct EncoderScratch {
    /// What is hashed: kind, length of the name, name, value.
    pub(crate) key: Vec<u8>,
    /// One text in lower case.
    pub(crate) lower: String,
    /// `(bucket, value)`, ascending by bucket, no bucket twice.
    pub(crate) features: Vec<(u32, f32)>,
    /// `(row, value)` of the known features.
    pub(crate) known: Vec<(u32, f32)>,
}
