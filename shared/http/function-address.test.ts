import { expect, test } from "vitest";
import { functionAddress } from "./function-address.ts";

test("functionAddress() is below the gateway, or where the gateway's address has its name", () => {
  expect(functionAddress("http://gateway.openfaas:8080/", "status")).toBe(
    "http://gateway.openfaas:8080/function/status",
  );
  expect(functionAddress("http://{function}.keepsake.svc.cluster.local", "backup-sdtd")).toBe(
    "http://backup-sdtd.keepsake.svc.cluster.local",
  );
});
