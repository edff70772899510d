/** Whether somebody already listens on a port. */

import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** True when TCP can listen on `address:port` right now. */
export async function isPortFree(port: number, address = "127.0.0.1"): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => {
      resolve(false);
    });
    server.listen(port, address, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/** The same for UDP. */
export async function isUdpPortFree(port: number, address: string): Promise<boolean> {
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address, exclusive: true }, () => {
      socket.close(() => {
        resolve(true);
      });
    });
  });
}
