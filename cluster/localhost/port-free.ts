/** Whether somebody already listens on a localhost port. */

import { createServer } from "node:net";

/** True when `127.0.0.1:port` can be listened on right now. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => {
      resolve(false);
    });
    server.listen(port, "127.0.0.1", () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
