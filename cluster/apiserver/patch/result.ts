/** What applying a patch gives: a new document, or why the patch can't be applied. */
export type PatchResult<T = unknown> = { ok: true; result: T } | { ok: false; message: string };

/** Documents and patches nested deeper than this are refused. */
export const MAX_PATCH_DEPTH = 100;
