/** Keys and signatures; like node:tls, only for those who ask for it. */
export const { createPrivateKey, createPublicKey } = process.getBuiltinModule(
  "node:crypto",
);
