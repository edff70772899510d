/**
 * The disk side of the SQLite driver, in a thread of its own so that an fsync never holds up the
 * event loop. Speaks the messages of `sqlite-messages.ts` with `sqlite-store.ts`.
 */

import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { JournalEntry } from "./journal.ts";
import type { FromWorker, ToWorker } from "./sqlite-messages.ts";
import type { StoredValue } from "./store.ts";

/** `lat1`: tells `file` and us that the database is a Lateen store. */
const APPLICATION_ID = 0x6c617431;
const FORMAT = 1;
/** Rows of one message while loading. */
const LOAD_CHUNK = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS object (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS head (
    id INTEGER PRIMARY KEY CHECK (id = 0), revision INTEGER NOT NULL
  ) STRICT;
  INSERT OR IGNORE INTO head (id, revision) VALUES (0, 1);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

function main(): void {
  if (parentPort === null) throw new Error("sqlite-worker.ts runs as a worker thread only");
  const port = parentPort;
  const send = (message: FromWorker): void => port.postMessage(message);
  const { file } = workerData as { file: string };
  let database: DatabaseSync;
  try {
    database = open(file);
    load(database, send);
  } catch (error) {
    send({ kind: "failed", ...describe(error) });
    return;
  }
  const append = appender(database);
  port.on("message", (message: ToWorker) => {
    try {
      if (message.kind === "append") append(message.entries);
      else database.close();
      send({ kind: "done" });
    } catch (error) {
      send({ kind: "failed", ...describe(error) });
    }
    if (message.kind === "close") port.close();
  });
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 2_000 });
  // Exclusive: a second server on the same file is refused instead of writing over this one.
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  const { application_id: id } = database.prepare("PRAGMA application_id").get() ?? {};
  const { user_version: format } = database.prepare("PRAGMA user_version").get() ?? {};
  const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() ?? {};
  const isOurs = id === APPLICATION_ID;
  if (!isOurs && tables !== 0) throw new Error("it is a database of another program");
  if (isOurs && format !== FORMAT) {
    throw new Error(`its format is ${String(format)}, this version reads ${FORMAT}`);
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec(SCHEMA);
  return database;
}

function load(database: DatabaseSync, send: (message: FromWorker) => void): void {
  let values: StoredValue[] = [];
  for (const row of database.prepare("SELECT key, value, revision FROM object").iterate()) {
    values.push({ key: String(row.key), value: String(row.value), revision: Number(row.revision) });
    if (values.length === LOAD_CHUNK) {
      send({ kind: "values", values });
      values = [];
    }
  }
  send({ kind: "values", values });
  const head = database.prepare("SELECT revision FROM head").get();
  send({ kind: "loaded", revision: Number(head?.revision) });
}

/** One transaction a batch: COMMIT returns after the write-ahead log's fsync. */
function appender(database: DatabaseSync): (entries: readonly JournalEntry[]) => void {
  const put = database.prepare(
    `INSERT INTO object (key, value, revision) VALUES (?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision`,
  );
  const remove = database.prepare("DELETE FROM object WHERE key = ?");
  const setHead = database.prepare("UPDATE head SET revision = ?");
  return (entries) => {
    database.exec("BEGIN IMMEDIATE");
    try {
      for (const { key, value, revision } of entries) {
        if (value === undefined) remove.run(key);
        else put.run(key, value, revision);
      }
      setHead.run(entries.at(-1)?.revision ?? 0);
      database.exec("COMMIT");
    } catch (error) {
      // A full disk may have rolled the transaction back already.
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  };
}

function describe(error: unknown): { message: string; code: number } {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
  return { message, code };
}

main();
