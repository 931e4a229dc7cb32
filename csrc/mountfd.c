/* mountfd: to come */
#include "farside.h"

void far_open_mountfd(lua_State *L) {
  (void)L;
}
