/** A DNS client for tests: one question, over UDP or TCP, answered as plain data. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import dnsPacket from "dns-packet";
import type { RecordType } from "dns-packet";

export interface Reply {
  rcode: string;
  isAuthoritative: boolean;
  isTruncated: boolean;
  /** `NAME TYPE DATA` of each record. */
  answers: string[];
  authorities: string[];
  additionals: string[];
}

export interface AskOptions {
  port: number;
  transport?: "udp" | "tcp";
  /** EDNS0 with this UDP size. */
  ednsBytes?: number;
}

/** Fails when nothing comes within two seconds. */
export async function ask(name: string, type: RecordType, options: AskOptions): Promise<Reply> {
  const opt = {
    type: "OPT" as const,
    name: ".",
    udpPayloadSize: options.ednsBytes ?? 0,
    flags: 0,
    options: [],
    extendedRcode: 0,
    ednsVersion: 0,
    flag_do: false,
  };
  const message = dnsPacket.encode({
    type: "query",
    id: Math.floor(Math.random() * 65_536),
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: options.ednsBytes === undefined ? [] : [opt],
  });
  const answer = await send(message, options);
  const decoded = dnsPacket.decode(answer) as dnsPacket.DecodedPacket & { rcode: string };
  return {
    rcode: decoded.rcode,
    isAuthoritative: decoded.flag_aa,
    isTruncated: decoded.flag_tc,
    answers: (decoded.answers ?? []).map(show),
    authorities: (decoded.authorities ?? []).map(show),
    additionals: (decoded.additionals ?? []).map(show),
  };
}

/** Any bytes, answered with bytes. */
export async function send(message: Buffer, options: AskOptions): Promise<Buffer> {
  const signal = AbortSignal.timeout(2_000);
  if (options.transport === "tcp") {
    const socket = connect(options.port, "127.0.0.1");
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.write(Buffer.concat([length, message]));
    let received: Buffer = Buffer.alloc(0);
    while (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) {
      const [chunk] = (await once(socket, "data", { signal })) as [Buffer];
      received = Buffer.concat([received, chunk]);
    }
    socket.destroy();
    return received.subarray(2);
  }
  const socket = createSocket("udp4");
  try {
    socket.send(message, options.port, "127.0.0.1");
    const [answer] = (await once(socket, "message", { signal })) as [Buffer];
    return answer;
  } finally {
    socket.close();
  }
}

function show(record: dnsPacket.Answer): string {
  if (record.type === "OPT") return "OPT";
  if (record.type === "SRV") {
    const { priority, weight, port, target } = record.data;
    return `${record.name} SRV ${priority} ${weight} ${port} ${target}`;
  }
  if (record.type === "SOA") return `${record.name} SOA ${record.data.minimum}`;
  const data: unknown = "data" in record ? record.data : "";
  const parts: unknown[] = Array.isArray(data) ? data : [data];
  const text = parts.map((part) =>
    Buffer.isBuffer(part) ? part.toString() : JSON.stringify(part),
  );
  return `${record.name} ${record.type} ${text.join(" ").replaceAll('"', "")}`;
}
