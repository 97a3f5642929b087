import { memoryTransport } from "../src/transport/memory.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { transportContract } from "./transport_contract.ts";

transportContract(await pickTransport());
transportContract(memoryTransport());
