// A case is a function; each prints one line of JSON for whoever started this process.
export const baseURL = process.env.BASELOAD_URL;
export const apiKey = process.env.BASELOAD_KEY;
export const model = process.env.BASELOAD_MODEL;
const WHY_CHARS_MAX = 300;

export function check(holds, what = "the answer is not what was asked for") {
  if (!holds) throw new Error(what);
}

export async function refused(says, call) {
  try {
    await call();
  } catch (error) {
    const told = `${error.message} ${error.responseBody ?? ""}`;
    check(told.includes(says), `"${says}" is not in ${told}`);
    return;
  }
  throw new Error("nothing was refused");
}

export async function main(client, cases) {
  for (const [name, run] of Object.entries(cases)) {
    let why = "";
    try {
      await run();
    } catch (error) {
      why = `${error.name}: ${error.message}`.slice(0, WHY_CHARS_MAX);
    }
    console.log(JSON.stringify({ client, case: name, why }));
  }
}
