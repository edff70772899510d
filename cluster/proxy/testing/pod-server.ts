/** A pod's program: answers TCP and UDP on port 8080 with its name and the client's address. */

import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const name = process.argv[2] ?? "";
createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.end(`${name} ${socket.remoteAddress?.replace("::ffff:", "")}`);
}).listen(8080, "0.0.0.0", () => {
  const udp = createSocket("udp4");
  udp.on("message", (_data, from) => udp.send(`${name} ${from.address}`, from.port, from.address));
  udp.bind(8080, () => console.log("READY"));
});
// Ends with whoever started it.
process.stdin.resume().on("end", () => process.exit());
