/** What a question about a name of the cluster is answered with. */

export type DnsRecord =
  | { type: "A" | "AAAA"; name: string; ttl: number; data: string }
  | { type: "CNAME" | "PTR" | "NS"; name: string; ttl: number; data: string }
  | { type: "TXT"; name: string; ttl: number; data: string }
  | { type: "SRV"; name: string; ttl: number; data: SrvData }
  | { type: "SOA"; name: string; ttl: number; data: SoaData };

export interface SrvData {
  priority: number;
  weight: number;
  port: number;
  target: string;
}

export interface SoaData {
  mname: string;
  rname: string;
  serial: number;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;
}

/** An authoritative answer; empty `answers` with a SOA in `authorities` is NODATA or NXDOMAIN. */
export interface ZoneAnswer {
  rcode: number;
  answers: readonly DnsRecord[];
  authorities: readonly DnsRecord[];
  additionals: readonly DnsRecord[];
  /** An ExternalName's target, whose addresses the client wants as well. */
  chase?: string;
}
