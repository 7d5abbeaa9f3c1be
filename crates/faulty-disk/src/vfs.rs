//! SQLite's own file system with four of its functions replaced: open, write, truncate and sync, and with
//! delete and close, which keep the records of the disk in step.
//!
//! A file stays SQLite's own object; only its table of functions is exchanged for a copy with ours in it.

#![allow(unsafe_code)] // the table of functions is C's

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::ffi;

use crate::disk::{Disk, Refusal};
use crate::disks;

/// The file system below ours.
struct Below(*mut ffi::sqlite3_vfs);

// SAFETY: the default VFS is registered for the life of the process, and SQLite calls it from any thread.
unsafe impl Send for Below {}
// SAFETY: as above; it is never written through this pointer.
unsafe impl Sync for Below {}

static BELOW: OnceLock<Below> = OnceLock::new();

/// An open file: where it is, and its functions before ours took their place.
#[derive(Clone)]
struct OpenFile {
    path: PathBuf,
    below: &'static ffi::sqlite3_io_methods,
}

/// By address of the file.
static FILES: OnceLock<Mutex<HashMap<usize, OpenFile>>> = OnceLock::new();

fn files() -> MutexGuard<'static, HashMap<usize, OpenFile>> {
    FILES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

fn file_of(file: *mut ffi::sqlite3_file) -> Option<OpenFile> {
    files().get(&(file as usize)).cloned()
}

/// Makes this SQLite's default file system, once per process.
pub(crate) fn register() -> io::Result<()> {
    static OUTCOME: OnceLock<c_int> = OnceLock::new();
    let outcome = *OUTCOME.get_or_init(|| {
        // SAFETY: SQLite is initialised before its VFS is asked for; the pointer it gives stays valid, and
        // the copy that is registered is leaked, so that it does, too.
        unsafe {
            ffi::sqlite3_initialize();
            let below = ffi::sqlite3_vfs_find(std::ptr::null());
            if below.is_null() {
                return ffi::SQLITE_ERROR;
            }
            BELOW.get_or_init(|| Below(below));
            let mut ours = *below;
            ours.zName = c"faulty-disk".as_ptr();
            ours.pNext = std::ptr::null_mut();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1)
        }
    });
    if outcome == ffi::SQLITE_OK { Ok(()) } else { Err(io::Error::other(format!("SQLite says {outcome}"))) }
}

/// Runs `work` on the disk that `path` is on, if it is watched.
fn on_disk<T>(path: &Path, work: impl FnOnce(&mut Disk) -> T) -> Option<T> {
    let folder = path.parent()?;
    disks().get_mut(folder).map(work)
}

fn code(refusal: Refusal) -> c_int {
    match refusal {
        Refusal::Full => ffi::SQLITE_FULL,
        Refusal::Write => ffi::SQLITE_IOERR_WRITE,
        Refusal::Sync => ffi::SQLITE_IOERR_FSYNC,
    }
}

unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite gives names that end with NUL and live as long as the call.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().ok().map(PathBuf::from)
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(below) = BELOW.get() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: the arguments are SQLite's own, handed on to the VFS whose size of a file we announced.
    let outcome = unsafe {
        let Some(open) = (*below.0).xOpen else { return ffi::SQLITE_CANTOPEN };
        open(below.0, name, file, flags, out_flags)
    };
    // SAFETY: `name` is SQLite's.
    let path = unsafe { path_of(name) };
    if let Some(path) = path.filter(|_| outcome == ffi::SQLITE_OK)
        && let Some(Ok(())) = on_disk(&path, |disk| disk.open(&path))
    {
        // SAFETY: an opened file has a table of functions, which lives as long as the process.
        unsafe {
            let below: &'static ffi::sqlite3_io_methods = &*(*file).pMethods;
            let ours = ffi::sqlite3_io_methods {
                xWrite: Some(write),
                xTruncate: Some(truncate),
                xSync: Some(sync),
                xClose: Some(close),
                ..*below
            };
            files().insert(file as usize, OpenFile { path, below });
            (*file).pMethods = Box::leak(Box::new(ours));
        }
    }
    outcome
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    let Some(below) = BELOW.get() else { return ffi::SQLITE_IOERR_DELETE };
    // SAFETY: the arguments are SQLite's own, handed on.
    unsafe {
        if let Some(path) = path_of(name) {
            on_disk(&path, |disk| disk.delete(&path));
        }
        (*below.0).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(below.0, name, sync_dir))
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, bytes: *const c_void, length: c_int, offset: i64) -> c_int {
    let Some(OpenFile { path, below }) = file_of(file) else { return ffi::SQLITE_IOERR_WRITE };
    let (Ok(start), Ok(count)) = (usize::try_from(offset), usize::try_from(length)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // Under the guard of all disks, so that a power loss falls between two writes.
    let mut disks = disks();
    let mut disk = path.parent().and_then(|folder| disks.get_mut(folder));
    if let Some(disk) = &mut disk
        && let Err(refusal) = disk.may_write()
    {
        return code(refusal);
    }
    // SAFETY: the arguments are SQLite's own: `bytes` has `length` bytes.
    let outcome = unsafe { below.xWrite.map_or(ffi::SQLITE_IOERR_WRITE, |write| write(file, bytes, length, offset)) };
    if let Some(disk) = disk.filter(|_| outcome == ffi::SQLITE_OK) {
        // SAFETY: as above.
        disk.wrote(&path, start, unsafe { std::slice::from_raw_parts(bytes.cast(), count) });
    }
    outcome
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    let Some(OpenFile { path, below }) = file_of(file) else { return ffi::SQLITE_IOERR_TRUNCATE };
    // SAFETY: the arguments are SQLite's own, handed on.
    let outcome = unsafe { below.xTruncate.map_or(ffi::SQLITE_IOERR_TRUNCATE, |truncate| truncate(file, size)) };
    if outcome == ffi::SQLITE_OK
        && let Ok(length) = usize::try_from(size)
    {
        on_disk(&path, |disk| disk.truncated(&path, length));
    }
    outcome
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    let Some(OpenFile { path, .. }) = file_of(file) else { return ffi::SQLITE_IOERR_FSYNC };
    // The real disk is not asked: what counts here is what the recorded one has kept.
    let outcome = on_disk(&path, |disk| disk.may_sync().map(|()| disk.synced(&path)));
    match outcome {
        Some(Err(refusal)) => code(refusal),
        Some(Ok(())) | None => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let Some(OpenFile { below, .. }) = files().remove(&(file as usize)) else { return ffi::SQLITE_IOERR_CLOSE };
    // SAFETY: the file gets its own functions back before they close it; SQLite does not use it afterwards.
    unsafe {
        (*file).pMethods = below;
        below.xClose.map_or(ffi::SQLITE_IOERR_CLOSE, |close| close(file))
    }
}
