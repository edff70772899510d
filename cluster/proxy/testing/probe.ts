/** Connects to ADDRESS PORT and prints what it heard; with a third argument COUNT times. */

import { connect } from "node:net";

const [host = "", port = "", count = "1"] = process.argv.slice(2);

function ask(): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect({ host, port: Number(port), timeout: 1_500 });
    socket.on("data", (data) => {
      heard += data.toString();
    });
    socket.on("timeout", () => {
      resolve("timeout");
      socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("end", () => resolve(heard));
  });
}

const answers: string[] = [];
for (let at = 0; at < Number(count); at++) answers.push(await ask());
console.log(JSON.stringify(answers));
