/** Writes until it is killed; a line on stdout for every acknowledged write. */
import { openSqliteStore } from "#cluster/storage/sqlite-store.ts";

const store = await openSqliteStore(process.argv[2] ?? "");

async function writer(id: number): Promise<void> {
  for (let i = 0; i < 1_000_000; i++) {
    const key = `/w${id}/${i}`;
    const result = await store.create(key, "x".repeat(200));
    if (result.ok) process.stdout.write(`${key} ${result.stored.revision}\n`);
  }
}

await Promise.all(Array.from({ length: 16 }, (_, id) => writer(id)));
