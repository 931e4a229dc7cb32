/*
 * The least that a program can be: what starting anything costs.
 */
int main(void) {
  return 0;
}
