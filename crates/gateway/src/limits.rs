//! The limits of the gateway itself. Each states what happens beyond it; those of requests are in
//! `shortlist_types::limits`.

use std::time::Duration;

shortlist_types::limits! {
    /// Items of an answer when the request names no `k`.
    pub(crate) const K_DEFAULT: usize = 10;
    /// Entries of a page of a list when the request names no `limit`.
    pub(crate) const PAGE_DEFAULT: usize = 100;
    /// Bytes of a page of a list; the entry that reaches it is the page's last, and `next` leads on. Clients' own limit of
    /// a gRPC message is 4 MiB.
    pub(crate) const PAGE_BYTES_MAX: usize = 1024 * 1024;
    /// Entries that one page looks at, deleted ones among them; a page of fewer entries than asked for may lead on.
    pub(crate) const PAGE_SCAN_MAX: u32 = 100_000;
    /// Largest `concurrency_max` that a config may ask for.
    pub(crate) const CONCURRENCY_MAX: usize = 65_536;
    /// Most threads that a config may ask for.
    pub(crate) const THREADS_MAX: usize = 1_024;
    /// Threads whose work did not come back and that others replaced; further work that does not come back keeps its thread.
    pub(crate) const REPLACED_MAX: usize = 8;
    /// Share of the default deadline that a request may have to wait for a thread; one that would wait longer is refused
    /// with 429, since its answer would come too late.
    pub(crate) const WAIT_SHARE_MAX: f64 = 0.5;
    /// The same of a request of low priority, which is refused while those before it would keep it waiting for longer: it
    /// takes what is left over.
    pub(crate) const LOW_WAIT_SHARE_MAX: f64 = 0.1;
    /// Share of `concurrency_max` that may be taken when a request of low priority comes; then it is refused with 429.
    pub(crate) const LOW_PLACES_SHARE_MAX: f64 = 0.5;
    /// How long work of low priority stands behind work of high priority that comes later; then it has its turn, or is
    /// dropped if its caller has left.
    pub(crate) const LOW_TURN_AFTER: Duration = Duration::from_millis(50);
    /// Share of the records that may wait for the log that do when one of low priority comes; beyond it that is refused with
    /// 429, so that there is room for what somebody waits for.
    pub(crate) const LOW_RECORDS_SHARE_MAX: f64 = 0.125;
    /// Connections held at once; further ones wait in the listener's backlog.
    pub(crate) const CONNECTIONS_MAX: usize = 4_096;
    /// Concurrent requests on one HTTP/2 connection; the client holds further ones back.
    pub(crate) const STREAMS_MAX: u32 = 256;
    /// Bytes of the headers of one HTTP/2 request; a larger head is refused.
    pub(crate) const HEADER_BYTES_MAX: u32 = 16 * 1024;
    /// How long the head of a request may take; then the connection is closed. So long at most may one of
    /// HTTP/1 be idle while half of the places are taken.
    pub(crate) const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(5);
    /// How long the body of a request, or the message of a gRPC call, may take; then 408 or `ABORTED`.
    pub(crate) const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long a stream of events may be silent; then `ABORTED`.
    pub(crate) const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
    /// How long a connection may be used, or up to a tenth less; then it ends with the requests that run, or with the next answer.
    pub(crate) const CONNECTION_AGE_MAX: Duration = Duration::from_secs(1_800);
    /// Bytes of the request line and headers of one HTTP/1.1 request; a larger head is refused.
    pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
    /// Bytes read and thrown away after a body that is too large: a client that still sends would not
    /// read the answer, and sees a broken connection beyond this.
    pub(crate) const DISCARD_BYTES_MAX: usize = 16 * 1024 * 1024;
    /// Silence on an HTTP/2 connection after which a ping is sent.
    pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
    /// How long the answer to a ping may take; then the connection is closed.
    pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(15);
    /// Wait after a failed accept, such as one without free file descriptors.
    pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
    /// Shortest `idle_timeout_ms` that a config may ask for.
    pub(crate) const IDLE_TIMEOUT_MS_MIN: u64 = 1_000;
    /// Longest `idle_timeout_ms` that a config may ask for.
    pub(crate) const IDLE_TIMEOUT_MS_MAX: u64 = 1_800_000;
    /// Longest `shutdown_delay_ms` that a config may ask for.
    pub(crate) const SHUTDOWN_DELAY_MS_MAX: u64 = 60_000;
    /// How long running requests may take after the last connection was taken; then their connections are cut.
    pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
    /// How long a connection that was taken before the shutdown may take for its first byte; then it is closed.
    pub(crate) const FIRST_BYTE_GRACE: Duration = Duration::from_millis(500);
    /// How often the gRPC health status and the histograms are brought up to date.
    pub(crate) const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);
    /// Largest body that is parsed on an I/O thread; a larger one would hold up its other connections.
    pub(crate) const INLINE_PARSE_BYTES_MAX: usize = 32 * 1024;
    /// How long the erasure of a user may take when the caller names no deadline: it reads the whole log.
    pub(crate) const ERASE_TIMEOUT: Duration = Duration::from_secs(600);
    /// Users whose erasure runs or waits for the one that runs; one more is refused with 429.
    pub(crate) const ERASURES_MAX: usize = 8;
    /// How long a write waits to become durable when the caller names no deadline; then 504, and the
    /// write may still happen.
    pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long after its deadline an answer is still waited for: the stages watch the deadline
    /// themselves and then answer with less.
    pub(crate) const DEADLINE_GRACE: Duration = Duration::from_millis(20);
    /// How long a group of streamed events is collected before it is written.
    pub(crate) const STREAM_GROUP_WAIT: Duration = Duration::from_millis(5);
    /// Bytes of the file of keys; a larger one is refused.
    pub(crate) const KEY_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
    /// Keys in the file; more are refused.
    pub(crate) const KEYS_MAX: usize = 10_000;
    /// Bytes of the name of a key; a longer one is refused.
    pub(crate) const KEY_NAME_BYTES_MAX: usize = 128;
    /// Largest rate of a key, in requests per second.
    pub(crate) const KEY_RATE_MAX: u32 = 1_000_000;
    /// Origins that may call from a browser; more are refused when the config is read.
    pub(crate) const CORS_ORIGINS_MAX: usize = 64;
    /// How long a browser may remember what it was allowed.
    pub(crate) const CORS_MAX_AGE: Duration = Duration::from_secs(3_600);
    /// Largest `traces_per_second` that a config may ask for.
    pub(crate) const TRACES_PER_SECOND_MAX: u32 = 1_000;
    /// Bytes of the `service_name` of traces; a longer one is refused when the config is read.
    pub(crate) const SERVICE_NAME_BYTES_MAX: usize = 128;
    /// Parts of one trace, and words about it; those after them are left out.
    pub(crate) const TRACE_SPANS_MAX: usize = 128;
    /// Traces that wait for the collector; the spans of one more are dropped and counted.
    pub(crate) const TRACES_WAITING_MAX: usize = 1_024;
    /// Traces that are sent at once.
    pub(crate) const EXPORT_TRACES_MAX: usize = 64;
    /// Pause between two batches for the collector.
    pub(crate) const EXPORT_EVERY: Duration = Duration::from_millis(200);
    /// How long the collector may take for a batch; then its spans are dropped and counted.
    pub(crate) const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
    /// How long the last traces may take at shutdown; then they are given up.
    pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
    /// Connections to the administrator's listener held at once.
    pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 64;
}
