/* tty: to come */
#include "farside.h"

void far_open_tty(lua_State *L) {
  (void)L;
}
