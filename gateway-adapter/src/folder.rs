//! The folder channel: files in, answers and credits out.
//!
//! ```text
//! in/NAME                      put here by the bank, best by renaming; *.tmp and dotfiles are left alone
//! archive/NAME, .answer.xml    the message and its answer (pacs.002)
//! failed/NAME, .answer.xml     something unreadable and its rejection (admi.002)
//! out/CURSOR-UETR.xml          a credit; notices end in .json
//! ```
//! The answer is written first and the file is moved after it, so a crash between the two leaves
//! the file in `in/`, where it is recognised as a repetition and gets the same answer under the
//! same name. A file in `out/` may be written twice, with the same name and bytes; it is written
//! once more only if the crash came before the acknowledgement.

mod disk;

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Seek as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    core::{Bulk, Channel, Core, ReceiveError},
    limits::{FOLDER_FILES_MAX, FOLDER_POLL_INTERVAL, FOLDER_STABLE_TIME, OUTBOX_PAGE_BYTES_MAX},
    metrics::METRICS,
    store::{Answer, MessageKey, OutboxEntry, OutboxKind, OutboxReader},
};
use disk::Stamp;

/// Files that one look at `in/` considers.
const SCAN_FILES_MAX: usize = 10_000;
/// Credits that are written between two acknowledgements.
const OUT_PAGE: usize = 100;
/// Longest name that is kept as it is: file systems allow 255 bytes, and a suffix, the name of the
/// answer and the marks of a file in the making are added.
const NAME_BYTES_MAX: usize = 220;
/// Bytes of [`suffix`].
const SUFFIX_BYTES: usize = 17;

/// The directories of the channel.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    incoming: PathBuf,
    out: PathBuf,
    archive: PathBuf,
    failed: PathBuf,
}

impl Folder {
    /// The folder at a path; directories that are missing are made.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let folder = Self {
            incoming: path.join("in"),
            out: path.join("out"),
            archive: path.join("archive"),
            failed: path.join("failed"),
        };
        for directory in [&folder.incoming, &folder.out, &folder.archive, &folder.failed] {
            std::fs::create_dir_all(directory)?;
        }
        Ok(folder)
    }

    /// Puts a file with its answer where it belongs: the answer first, then the move.
    fn conclude(
        &self,
        name: &OsString,
        stamp: &Stamp,
        content: &Content,
        ending: &Ending,
    ) -> io::Result<()> {
        let (directory, suffix, text) = match ending {
            Ending::Answered(answer) if answer.kind.is_report() => {
                (&self.archive, ".answer.xml", &answer.xml)
            }
            Ending::Answered(answer) => (&self.failed, ".answer.xml", &answer.xml),
            Ending::NotTaken(text) => (&self.failed, ".error.txt", text),
        };
        let source = self.incoming.join(name);
        let name_kept = short_name(name);
        let kept = match ending {
            Ending::Answered(_) => free_name(directory, &name_kept, content)?,
            Ending::NotTaken(_) => free_name_of_unread(directory, &name_kept, stamp)?,
        };
        let mut answer = kept.clone();
        answer.push(suffix);
        disk::write(directory, &answer, text)?;
        if disk::stamp(&source)?.as_ref() != Some(stamp) {
            // The bank has put another file in its place: that one has its own turn, and of this
            // one only the bytes that were read are left.
            return match ending {
                Ending::Answered(_) => match &content.raw {
                    Some(raw) => disk::write(directory, &kept, raw),
                    // Too large to be held; the store has its bytes.
                    None => Ok(()),
                },
                Ending::NotTaken(_) => Ok(()),
            };
        }
        std::fs::rename(&source, directory.join(&kept))?;
        disk::sync_directory(directory)?;
        disk::sync_directory(&self.incoming)
    }

    /// Writes a credit; the same credit always has the same name.
    fn deliver(&self, cursor: u64, entry: &OutboxEntry) -> io::Result<()> {
        let extension = match entry.kind {
            OutboxKind::Message(_) => "xml",
            OutboxKind::Notice => "json",
        };
        let name = format!("{cursor:020}-{}.{extension}", entry.uetr);
        disk::write_without_directory_sync(&self.out, name.as_ref(), &entry.content)
    }
}

/// The name, or a shorter one for it that leaves room for what is added to it.
fn short_name(name: &OsString) -> OsString {
    let bytes = name.as_bytes();
    if bytes.len() <= NAME_BYTES_MAX {
        return name.clone();
    }
    let mut short = OsStr::from_bytes(&bytes[..NAME_BYTES_MAX - SUFFIX_BYTES]).to_owned();
    short.push(suffix(&MessageKey::of(bytes)));
    short
}

/// A dot and 16 hexadecimal digits that follow from the bytes with this key.
fn suffix(key: &MessageKey) -> String {
    let digest = key.to_string();
    format!(".{}", &digest[..SUFFIX_BYTES - 1])
}

/// A name that does not take the place of another message: banks use file names again.
fn free_name(directory: &Path, name: &OsString, content: &Content) -> io::Result<OsString> {
    let path = directory.join(name);
    let taken = match disk::stamp(&path)? {
        // Only a file of the same size can be the same; so no large one is read for nothing.
        Some(stamp) if stamp.bytes() == content.bytes => {
            let (key, _) = Bulk::key_of(&mut File::open(&path)?, content.bytes)?;
            key != Some(content.key)
        }
        other => other.is_some(),
    };
    let mut name = name.clone();
    if taken {
        name.push(suffix(&content.key));
    }
    Ok(name)
}

/// The same for a file that was not read, told from others by its stamp.
fn free_name_of_unread(directory: &Path, name: &OsString, stamp: &Stamp) -> io::Result<OsString> {
    let mut free = name.clone();
    if disk::stamp(&directory.join(name))?.is_some_and(|other| other != *stamp) {
        free.push(suffix(&MessageKey::of(&stamp.to_bytes())));
    }
    Ok(free)
}

/// What a file held when it was read.
struct Content {
    key: MessageKey,
    bytes: u64,
    /// The bytes, when they are few enough for one message.
    raw: Option<Bytes>,
}

impl Content {
    fn of(raw: Bytes) -> Self {
        Self { key: MessageKey::of(&raw), bytes: raw.len() as u64, raw: Some(raw) }
    }
}

/// How work on a file ended.
enum Ending {
    Answered(Answer),
    NotTaken(Bytes),
}

/// Runs the channel until `stopped` becomes true.
pub(crate) async fn run(folder: Folder, core: Arc<Core>, mut stopped: watch::Receiver<bool>) {
    let out = tokio::spawn(deliver(folder.clone(), core.clone()));
    let mut seen: HashMap<OsString, (Stamp, std::time::Instant)> = HashMap::new();
    let mut working: HashSet<OsString> = HashSet::new();
    let mut tasks: JoinSet<OsString> = JoinSet::new();
    let mut poll = tokio::time::interval(FOLDER_POLL_INTERVAL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(done) = tasks.join_next() => {
                if let Ok(name) = done {
                    working.remove(&name);
                }
                continue;
            }
            _ = poll.tick() => {}
        }
        let directory = folder.incoming.clone();
        let files =
            tokio::task::spawn_blocking(move || disk::list(&directory, SCAN_FILES_MAX)).await;
        let files = match files {
            Ok(Ok(files)) => files,
            Ok(Err(error)) => {
                tracing::error!(directory = %folder.incoming.display(), %error, "list folder");
                continue;
            }
            Err(_) => continue,
        };
        let present: HashSet<&OsString> = files.iter().map(|(name, _)| name).collect();
        seen.retain(|name, _| present.contains(name));
        for (name, stamp) in &files {
            if working.contains(name) {
                continue;
            }
            match seen.get(name) {
                Some((before, since)) if before == stamp => {
                    if since.elapsed() >= FOLDER_STABLE_TIME && working.len() < FOLDER_FILES_MAX {
                        working.insert(name.clone());
                        seen.remove(name);
                        let (folder, core) = (folder.clone(), core.clone());
                        let (name, stamp) = (name.clone(), stamp.clone());
                        tasks.spawn(async move {
                            work_on(&folder, &core, &name, stamp).await;
                            name
                        });
                    }
                }
                _ => {
                    seen.insert(name.clone(), (stamp.clone(), std::time::Instant::now()));
                }
            }
        }
    }
    out.abort();
    // What is not answered by now stays in `in/` and is taken up after the next start.
    let drained = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), drained).await;
}

async fn work_on(folder: &Folder, core: &Arc<Core>, name: &OsString, stamp: Stamp) {
    let result = match answer(folder, core, name).await {
        Ok(Some((content, ending))) => {
            let (folder, name) = (folder.clone(), name.clone());
            let label = match &ending {
                Ending::Answered(answer) if answer.kind.is_report() => "answered",
                _ => "failed",
            };
            let concluded = tokio::task::spawn_blocking(move || {
                folder.conclude(&name, &stamp, &content, &ending)
            });
            concluded.await.unwrap_or_else(|error| Err(io::Error::other(error))).map(|()| label)
        }
        // Another time: it stays where it is.
        Ok(None) => return,
        Err(error) => Err(error),
    };
    match result {
        Ok(label) => METRICS.files.with_label_values(&[label]).inc(),
        Err(error) => {
            METRICS.files.with_label_values(&["error"]).inc();
            tracing::error!(file = %name.display(), %error, "process file; it is tried again");
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}

async fn answer(
    folder: &Folder,
    core: &Arc<Core>,
    name: &OsString,
) -> io::Result<Option<(Content, Ending)>> {
    let path = folder.incoming.join(name);
    let (message_bytes, bulk_bytes) = (core.limits.message_bytes, core.limits.bulk_bytes);
    let read = tokio::task::spawn_blocking(move || {
        let mut file = File::open(&path)?;
        if file.metadata()?.len() <= message_bytes as u64 {
            // It may grow while it is read: then it has another turn.
            return Ok(disk::read(file, message_bytes)?.map(|raw| (Content::of(raw), None)));
        }
        let (key, bytes) = Bulk::key_of(&mut file, bulk_bytes as u64)?;
        file.rewind()?;
        Ok(key.map(|key| (Content { key, bytes, raw: None }, Some(file))))
    });
    let read: io::Result<_> = read.await.map_err(io::Error::other)?;
    let Some((content, file)) = read? else {
        let text = format!("The file is larger than {bulk_bytes} bytes and was not read.\n");
        return Ok(Some((Content::of(Bytes::new()), Ending::NotTaken(text.into()))));
    };
    let received = match (&content.raw, file) {
        (Some(raw), _) => core.receive(raw.clone(), Channel::Folder),
        (None, Some(file)) => {
            let bulk = Bulk { key: content.key, content: Box::new(file) };
            core.receive_bulk(bulk, Channel::Folder)
        }
        (None, None) => return Ok(None),
    };
    let mut ticket = match received {
        Ok(ticket) => ticket,
        Err(ReceiveError::Busy | ReceiveError::Dropped) => return Ok(None),
        Err(error) => return Err(io::Error::other(error)),
    };
    match ticket.answer().await {
        Ok(answer) => Ok(Some((content, Ending::Answered(answer)))),
        Err(_) => Ok(None),
    }
}

/// Writes credits to `out/` and acknowledges them once they are there.
async fn deliver(folder: Folder, core: Arc<Core>) {
    let mut last = core.store.outbox_last();
    loop {
        let (work, shared) = (folder.clone(), core.clone());
        let written = tokio::task::spawn_blocking(move || write_out(&work, &shared)).await;
        match written {
            Ok(Ok(Some(cursor))) => {
                if core.acknowledge(OutboxReader::Folder, cursor).await.is_err() {
                    return;
                }
            }
            Ok(Ok(None)) => {
                if last.changed().await.is_err() {
                    return;
                }
            }
            Ok(Err(error)) => {
                tracing::error!(directory = %folder.out.display(), %error, "write credits");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            Err(_) => return,
        }
    }
}

/// Writes the next credits; returns the cursor of the last one.
fn write_out(folder: &Folder, core: &Core) -> io::Result<Option<u64>> {
    let after = core.store.acknowledged(OutboxReader::Folder).map_err(io::Error::other)?;
    let entries =
        core.store.outbox(after, OUT_PAGE, OUTBOX_PAGE_BYTES_MAX).map_err(io::Error::other)?;
    for (cursor, entry) in &entries {
        folder.deliver(*cursor, entry)?;
    }
    if !entries.is_empty() {
        disk::sync_directory(&folder.out)?;
    }
    Ok(entries.last().map(|(cursor, _)| *cursor))
}

#[cfg(test)]
mod tests;
