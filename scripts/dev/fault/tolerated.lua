-- Calls whose failure a set-up survives, and why that is well.
return {
}
