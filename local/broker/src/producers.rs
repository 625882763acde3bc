//! Which idempotent producers may write where: the epochs of `storage.rs`, kept in the storage's own tables, since the
//! storage itself answers an epoch or a partition that it does not know with a panic.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use libsql::{Connection, params};
use tansu_sans_io::ErrorCode;
use tansu_storage::{Error, Result, Topition};
use tokio::sync::{RwLock, RwLockReadGuard};

/// The storage's own writes are this short; a checkpoint may take longer.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// A connection of our own to the storage's database, and what was found in it.
#[derive(Clone)]
pub(crate) struct Producers {
    connection: Connection,
    /// Admitted before, so that a produce costs no query.
    admitted: Arc<Mutex<HashSet<(Topition, i64, i16)>>>,
    /// SQLite has one writer: the storage writes as a reader of this, we as its writer.
    gate: Arc<RwLock<()>>,
}

impl std::fmt::Debug for Producers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producers").finish_non_exhaustive()
    }
}

impl Producers {
    /// Opens the database that the storage has just made, gives its headers the index that they lack, and forgets who was
    /// in a group: the storage would keep a member that was killed together with the broker for good, and let it lead,
    /// so that whoever joins beside it is given no partition. Who is still alive joins again; offsets stay.
    ///
    /// # Errors
    /// It does not open, or refuses the index.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Self> {
        let database = libsql::Builder::new_local(path).build().await?;
        let connection = database.connect().with_context(|| format!("{} does not open", path.display()))?;
        connection.busy_timeout(BUSY_MAX)?;
        let index = "create index if not exists header_of_record on header (topition, offset_id)";
        connection.execute(index, ()).await.context("the headers take no index")?;
        connection.execute("delete from consumer_group_detail", ()).await.context("the groups keep their members")?;
        Ok(Self { connection, admitted: Arc::default(), gate: Arc::default() })
    }

    /// To be held while the storage writes.
    pub(crate) async fn writing(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().await
    }

    /// A topic has gone: what was admitted to it is no longer.
    pub(crate) fn forget(&self) {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Lets a producer of this epoch write to a partition, raising its epoch where it says a higher one.
    ///
    /// # Errors
    /// The partition does not exist, or the database fails.
    pub(crate) async fn admit(&self, topition: &Topition, producer: i64, epoch: i16) -> Result<()> {
        let key = (topition.clone(), producer, epoch);
        if self.admitted.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
            return Ok(());
        }
        // The queries too: one that is still open while the storage writes would keep this connection's write from
        // beginning ("database is locked", at once).
        let _alone = self.gate.write().await;
        self.find(topition).await?;
        // A higher epoch only: a lower one that was never given is the storage's to refuse.
        self.connection
            .execute(
                "insert into producer_epoch (producer, epoch) \
                 select p.id, $2 from producer p where p.id = $1 \
                 and $2 > (select coalesce(max(epoch), -1) from producer_epoch where producer = p.id)",
                params![producer, i64::from(epoch)],
            )
            .await?;
        let known = "select 1 from producer_epoch where producer = $1 and epoch = $2";
        let mut rows = self.connection.query(known, params![producer, i64::from(epoch)]).await?;
        if rows.next().await?.is_none() {
            return Err(Error::Api(ErrorCode::UnknownProducerId));
        }
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        Ok(())
    }

    async fn find(&self, topition: &Topition) -> Result<()> {
        let exists =
            "select 1 from topition tp join topic t on tp.topic = t.id where t.name = $1 and tp.partition = $2";
        let mut rows =
            self.connection.query(exists, params![topition.topic(), i64::from(topition.partition())]).await?;
        match rows.next().await? {
            Some(_) => Ok(()),
            None => Err(Error::Api(ErrorCode::UnknownTopicOrPartition)),
        }
    }
}
