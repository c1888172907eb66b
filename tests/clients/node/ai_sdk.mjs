// Vercel's AI SDK over its OpenAI-compatible provider.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { apiKey, baseURL, check, main, model as name } from "./harness.mjs";

const provider = createOpenAICompatible({
  name: "baseload",
  baseURL,
  apiKey,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const model = provider(name);
const plain = { model, maxOutputTokens: 512, maxRetries: 0 };
const Answer = z.object({ city: z.enum(["Berlin", "Shanghai"]), warm: z.boolean() });
const weather = tool({
  description: "The weather of a city",
  strict: true,
  inputSchema: z.object({ city: z.enum(["Berlin", "Shanghai"]) }),
  execute: async ({ city }) => `warm in ${city}`,
});

await main("AI SDK", {
  async text() {
    const done = await generateText({ ...plain, prompt: "Hello" });
    check(done.text && done.usage.outputTokens > 0);
  },
  async streamed() {
    let text = "";
    for await (const part of streamText({ ...plain, prompt: "Hello" }).textStream) text += part;
    check(text);
  },
  async structured() {
    check((await generateObject({ ...plain, schema: Answer, prompt: "Weather?" })).object.city);
  },
  async tools_over_several_steps() {
    const done = await generateText({
      ...plain,
      tools: { weather },
      toolChoice: { type: "tool", toolName: "weather" },
      stopWhen: stepCountIs(2),
      prompt: "Weather?",
    });
    check(done.steps[0].toolCalls.length === 1);
  },
  async a_system_prompt_and_a_conversation() {
    const messages = [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "And?" },
    ];
    check((await generateText({ ...plain, system: "Be brief", messages })).text);
  },
});
