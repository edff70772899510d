/** How long clients may keep an answer about the cluster, also one that there is no such name. */
export const TTL_SECONDS = 5;
