//! What every store promises.

mod in_a_file {
    use crate::fixture::fresh;

    gatewright_testing::store_suite!(guarded fresh().await);
}

mod in_memory {
    use gatewright_sqlx::{SqlStore, SqliteOptions};

    gatewright_testing::store_suite!(
        SqlStore::open_with(&SqliteOptions::in_memory())
            .await
            .unwrap()
    );
}
