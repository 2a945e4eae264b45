//! The tables `chat_…`.

/// The steps from each version to the next.
///
/// - `row` is both the key of a message and when it was said: its upper bits are [`super::believed`], the lower ones
///   tell apart what was said in the same millisecond. So the newest come first where rows are read backwards, over all
///   conversations, in the full-text search too.
/// - `kind` says which [`Body`](crate::proto::Body) it is. `shown`: whether it has a line of its own in the history, in
///   the order (`time`, `pen`, `number`). `gone` is 0, 1 (taken back) or 2 (expired); then what was said is NULL.
/// - `text` is what was said first, `edited` the words that stand for it now. `to_pen` and `to_number` name the message
///   that an answer, a reaction, an edit or a deletion is about. `amount` is the size of an attachment, whether a
///   reaction is put, or how long the timer is.
/// - `due` is when it expires. A deletion never does, or what it took back could come again.
/// - `chat_envelopes_index` has all that is read of envelopes at the start, which is not their bytes.
/// - `chat_said` is what is searched: the view from which `chat_search` is written, and from which it is told what to
///   forget. `place` holds one word for each conversation, so that a search within one is a search for a word more.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE chat_facts (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE chat_conversations (
        id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, unread INTEGER NOT NULL DEFAULT 0,
        muted INTEGER NOT NULL DEFAULT 0, request INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE chat_messages (
        row INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, pen BLOB NOT NULL, number INTEGER NOT NULL,
        time INTEGER NOT NULL, author BLOB NOT NULL, written INTEGER NOT NULL, causes BLOB, expires_s INTEGER,
        due INTEGER, kind TEXT NOT NULL, shown INTEGER NOT NULL, unread INTEGER NOT NULL, gone INTEGER NOT NULL,
        to_pen BLOB, to_number INTEGER, amount INTEGER, text TEXT, edited TEXT, name TEXT, notice BLOB,
        UNIQUE (conversation, pen, number)
    );
    CREATE INDEX chat_messages_order ON chat_messages (conversation, time, pen, number, shown);
    CREATE INDEX chat_messages_written ON chat_messages (conversation, written) WHERE shown = 1;
    CREATE INDEX chat_messages_unread ON chat_messages (conversation, time, pen, number) WHERE unread = 1;
    CREATE INDEX chat_messages_due ON chat_messages (due) WHERE due IS NOT NULL;
    CREATE INDEX chat_messages_about ON chat_messages
        (conversation, to_pen, to_number, kind, author, time, pen, number) WHERE to_pen IS NOT NULL AND gone = 0;
    CREATE TABLE chat_stages (
        conversation INTEGER NOT NULL, pen BLOB NOT NULL, number INTEGER NOT NULL, person BLOB NOT NULL,
        stage INTEGER NOT NULL, PRIMARY KEY (conversation, pen, number, person)
    ) WITHOUT ROWID;
    CREATE TABLE chat_read_early (
        row INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, pen BLOB NOT NULL, number INTEGER NOT NULL,
        UNIQUE (conversation, pen, number)
    );
    CREATE TABLE chat_recipients (node BLOB PRIMARY KEY, fact BLOB NOT NULL);
    CREATE TABLE chat_envelopes (
        node BLOB NOT NULL, id INTEGER NOT NULL, came INTEGER NOT NULL, len INTEGER NOT NULL, bytes BLOB NOT NULL
    );
    CREATE INDEX chat_envelopes_index ON chat_envelopes (node, id, came, len);
    CREATE VIEW chat_said AS SELECT row, 'c' || conversation AS place,
        CASE kind WHEN 'attachment' THEN name || char(10) ELSE '' END || coalesce(edited, text) AS text
        FROM chat_messages WHERE gone = 0 AND kind IN ('text', 'attachment');
    CREATE VIRTUAL TABLE chat_search USING fts5(
        text, place, content = 'chat_said', content_rowid = 'row', columnsize = 0,
        tokenize = 'unicode61 remove_diacritics 2'
    );
    INSERT INTO chat_search (chat_search, rank) VALUES ('secure-delete', 1);
"];
