import { describe, expect, test } from "@jest/globals";
import { capabilitiesOf, effectiveCapabilities } from "./capabilities.ts";

/** Everything up to CHECKPOINT_RESTORE. */
const ROOT = capabilitiesOf((1n << 41n) - 1n);
/** As in virtual machines that keep CAP_SYS_RESOURCE, the bit 24, from their root. */
const CONFINED = capabilitiesOf(0x1fffeffffffn);

function granted(
  request: { privileged?: boolean; add?: string[]; drop?: string[] },
  own = ROOT,
): readonly string[] {
  const result = effectiveCapabilities({ privileged: false, add: [], drop: [], ...request, own });
  if (!result.ok) throw new Error(result.message);
  return result.capabilities;
}

describe("capabilities of a container", () => {
  test("are Docker's, less what is dropped, and what is added", () => {
    expect(granted({})).toContain("CAP_CHOWN");
    expect(granted({})).not.toContain("CAP_NET_ADMIN");
    expect(granted({ drop: ["ALL"], add: ["NET_BIND_SERVICE"] })).toEqual(["CAP_NET_BIND_SERVICE"]);
    expect(granted({ drop: ["cap_chown"] })).not.toContain("CAP_CHOWN");
  });

  test("are all that the runtime itself has, when privileged", () => {
    expect(granted({ privileged: true })).toHaveLength(41);
    expect(granted({ privileged: true }, CONFINED)).toHaveLength(40);
    expect(granted({ add: ["ALL"] }, CONFINED)).not.toContain("CAP_SYS_RESOURCE");
  });

  test("that nobody knows are refused", () => {
    expect(effectiveCapabilities({ privileged: false, add: ["FLY"], drop: [], own: ROOT })).toEqual(
      { ok: false, message: 'unknown capability "CAP_FLY"' },
    );
  });
});
