import { writeFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { canMakeNamespaces } from "#cluster/network/testing/fake-host.ts";
import { applyIp } from "./ip.ts";
import { deleteNamespaces, listNamespaces, removeBrokenNames } from "./namespaces.ts";
import { NETNS_DIR } from "./run-in-namespace.ts";

const withRoot = canMakeNamespaces ? test : test.skip;

withRoot("names that lead to no namespace are removed, others stay", async () => {
  const prefix = `lt-broken-${process.pid}-`;
  await applyIp([`netns add ${prefix}whole`]);
  try {
    await writeFile(`${NETNS_DIR}/${prefix}half`, "");
    await removeBrokenNames(prefix);
    expect(await listNamespaces(prefix)).toEqual([`${prefix}whole`]);
  } finally {
    await deleteNamespaces([`${prefix}whole`]);
  }
  expect(await listNamespaces(prefix)).toEqual([]);
});
