// Forms marked with data-passkey ask the browser for a passkey when they are sent, and send its answer along.
// data-passkey is "create" or "get", data-options what to ask for (WebAuthn level 3, section 5.1.8 and 5.1.9).
"use strict"

const UNABLE = "This browser cannot use passkeys here. They need a current browser, and https (or this very machine)."
const REFUSED = "No passkey answered: it was cancelled, took too long, or none of yours is here. Try again."
const KNOWN = "This passkey is enrolled already."

async function answerOf(kind, options) {
  const ceremony = window.PublicKeyCredential
  if (kind === "create") {
    const publicKey = ceremony.parseCreationOptionsFromJSON(options)
    return await navigator.credentials.create({ publicKey })
  }
  const publicKey = ceremony.parseRequestOptionsFromJSON(options)
  return await navigator.credentials.get({ publicKey })
}

async function ask(form) {
  const problem = form.querySelector("[data-passkey-problem]")
  const button = form.querySelector("button")
  problem.hidden = true
  button.disabled = true
  try {
    if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) throw new Error(UNABLE)
    const answer = await answerOf(form.dataset.passkey, JSON.parse(form.dataset.options))
    form.elements.credential.value = JSON.stringify(answer.toJSON())
    form.submit() // not requestSubmit: this would ask once more
  } catch (error) {
    const told = { NotAllowedError: REFUSED, InvalidStateError: KNOWN, SecurityError: UNABLE }[error.name]
    problem.textContent = told ?? error.message
    problem.hidden = false
    button.disabled = false
    button.focus()
  }
}

document.addEventListener("submit", event => {
  if (!event.target.dataset.passkey) return
  event.preventDefault()
  ask(event.target)
})
