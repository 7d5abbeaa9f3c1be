/// Why an index could not be configured, built, searched or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetrievalError {
    /// The configuration is at fault; nothing was built.
    #[error("{field} must be {min} to {max}, got {got}")]
    ConfigOutOfRange {
        /// Name of the setting.
        field: &'static str,
        /// Least value taken.
        min: usize,
        /// Greatest value taken.
        max: usize,
        /// The value given.
        got: usize,
    },
    /// The table is too large to number its rows; split it.
    #[error("an index holds at most {max} rows, got {got}; split the table")]
    TooManyRows {
        /// Most rows of one index.
        max: usize,
        /// Rows of the table.
        got: usize,
    },
    /// The system gave no threads to build with.
    #[error("cannot build on several threads: {reason}")]
    Threads {
        /// What the system said.
        reason: String,
    },
    /// A live index takes vectors of its dimensions only; nothing was inserted.
    #[error("the vector of item {item} must have {expected} dimensions, got {got}")]
    VectorDimensions {
        /// Number of the item.
        item: u32,
        /// Dimensions of the index.
        expected: usize,
        /// Dimensions of the vector.
        got: usize,
    },
    /// A live index takes finite vectors only; nothing was inserted.
    #[error("the vector of item {item} must be finite, component {position} is not")]
    VectorNotFinite {
        /// Number of the item.
        item: u32,
        /// First component that is not finite.
        position: usize,
    },
    /// Nobody froze the newest vectors; nothing was inserted.
    #[error("the live index holds {max} vectors that are not frozen; freeze them first")]
    TailFull {
        /// Most vectors that wait.
        max: usize,
    },
    /// Items and vectors make no table.
    #[error("cannot make a table of the vectors: {reason}")]
    Table {
        /// What is wrong with them.
        reason: String,
    },
    /// The file could not be opened or mapped.
    #[error("cannot open index file {path}: {reason}")]
    Open {
        /// Which file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The caller's query does not belong to this table; nothing was searched.
    #[error("query must have {expected} dimensions, got {got}")]
    QueryDimensions {
        /// Dimensions of the table.
        expected: usize,
        /// Dimensions of the query.
        got: usize,
    },
    /// The caller's query holds NaN or infinity; nothing was searched.
    #[error("query must be finite, component {position} is not")]
    QueryNotFinite {
        /// First component that is not finite.
        position: usize,
    },
    /// The bytes are no index file.
    #[error("not an index file: it does not begin with the magic bytes; build the index anew")]
    NotAnIndex,
    /// The file was written in another version of the format.
    #[error("index file has format version {got}, this program reads version {expected}; build the index anew")]
    FormatVersion {
        /// The version that this code reads.
        expected: u32,
        /// The version of the file.
        got: u32,
    },
    /// The file was cut or grew.
    #[error("index file must have {expected} bytes by its own sizes, got {got}; copy it again or build it anew")]
    FileLength {
        /// Length by the sizes in the header, or of the shortest index when there is no whole header.
        expected: u64,
        /// The real length.
        got: u64,
    },
    /// The file was damaged.
    #[error("index file is damaged: checksum {expected:#018x} written, {got:#018x} computed; copy it again")]
    Checksum {
        /// The checksum in the file.
        expected: u64,
        /// The checksum of its bytes.
        got: u64,
    },
    /// The index was built over other embeddings; searching it would give wrong neighbours.
    #[error(
        "index belongs to an embedding table with fingerprint {expected:#018x}, got {got:#018x}; load the pair from one bundle"
    )]
    OtherTable {
        /// Fingerprint of the table that the index was built over.
        expected: u64,
        /// Fingerprint of the table given.
        got: u64,
    },
    /// The checksum fits but the content is no index: whoever wrote the file is at fault.
    #[error("index file breaks its format: {rule}, limit {limit}, got {got}; build the index anew")]
    InvalidContent {
        /// The rule that is broken.
        rule: FormatRule,
        /// What the rule allows: the value expected, or the bound.
        limit: u64,
        /// What the file holds.
        got: u64,
    },
}

/// The rules that an index file must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatRule {
    /// Dimensions are in range.
    #[error("dimensions must be 1 to 4,096")]
    Dimensions,
    /// The metric is a known one.
    #[error("metric must be known")]
    Metric,
    /// Items can be numbered.
    #[error("items")]
    ItemCount,
    /// There is no point without an item.
    #[error("points")]
    PointCount,
    /// There is no leaf without a point, and one if there are points.
    #[error("leaves")]
    LeafCount,
    /// The leaves' points fill the blocks, and add up to all points.
    #[error("blocks of the leaves' points")]
    BlockCount,
    /// Every number is finite, and every width positive.
    #[error("numbers must be finite and widths positive")]
    Numbers,
    /// Every vector is finite.
    #[error("vectors must be finite")]
    Vectors,
    /// Each point has items, in ascending order.
    #[error("items of a point must ascend and be some")]
    ItemsOfPoint,
    /// The sorted items are the points' items, each with its point.
    #[error("sorted items must be the items of the points")]
    SortedItems,
    /// What is not used is zero.
    #[error("unused places must be zero")]
    Zeros,
    /// There is an entry point exactly when there are nodes, and it is one of them.
    #[error("entry point must be a node")]
    EntryPoint,
    /// The entry point lives on every layer.
    #[error("entry point must be on the top layer")]
    EntryPointLevel,
    /// There are at most as many layers as the builder makes.
    #[error("upper layers")]
    LayerCount,
    /// A layer has nodes, and no more than the one below.
    #[error("nodes of an upper layer")]
    LayerSize,
    /// The nodes of a layer ascend.
    #[error("nodes of a layer must ascend")]
    LayerOrder,
    /// The nodes of a layer are all on the layer below.
    #[error("nodes of a layer must be on the layer below")]
    LayerNesting,
    /// A neighbour is a node of the same layer.
    #[error("neighbour must be a node of the layer")]
    Neighbor,
    /// No node is its own neighbour.
    #[error("node must not be its own neighbour")]
    SelfLoop,
    /// Empty places of a neighbour list come last.
    #[error("empty places of a neighbour list must come last")]
    Padding,
    /// Layer 0 leads from the entry point to every node.
    #[error("nodes reachable from the entry point")]
    Reachability,
}

impl RetrievalError {
    /// The error of a file that holds `got` where `rule` allows `limit`.
    pub(crate) fn broken(rule: FormatRule, limit: u64, got: u64) -> Self {
        Self::InvalidContent { rule, limit, got }
    }
}
