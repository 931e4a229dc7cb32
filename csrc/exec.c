/* exec: to come */
#include "farside.h"

void far_open_exec(lua_State *L) {
  (void)L;
}
